#ifndef GENZO_TESTS_TESTING_REQUEST_IDS_H_
#define GENZO_TESTS_TESTING_REQUEST_IDS_H_

namespace genzo {

// A request id as clients make them.
inline constexpr char kRequestId[] = "123e4567-e89b-42d3-a456-426614174000";

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_REQUEST_IDS_H_
