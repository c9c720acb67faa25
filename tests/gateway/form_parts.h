#ifndef GENZO_TESTS_GATEWAY_FORM_PARTS_H_
#define GENZO_TESTS_GATEWAY_FORM_PARTS_H_

#include <string>

namespace genzo {

// A field's head, and a part of a form whose boundary is "b".
inline constexpr char kField[] = "Content-Disposition: form-data; name=\"a\"";

inline std::string Part(const std::string& head, const std::string& content) {
  return "--b\r\n" + head + "\r\n\r\n" + content + "\r\n";
}

}  // namespace genzo

#endif  // GENZO_TESTS_GATEWAY_FORM_PARTS_H_
