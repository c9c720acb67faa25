#ifndef GENZO_BASE_REQUEST_PICTURES_H_
#define GENZO_BASE_REQUEST_PICTURES_H_

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Takes the bytes of all picture files out of a request that is told or kept:
// their digests and sizes stand for them.
void ClearPictures(v1::GenerateRequest& request);

// The request as ClearPictures() would leave it. Never copies those bytes,
// which may be tens of megabytes.
v1::GenerateRequest WithoutPictures(const v1::GenerateRequest& request);

}  // namespace genzo

#endif  // GENZO_BASE_REQUEST_PICTURES_H_
