// Included before everything where ThreadSanitizer looks. Protobuf's headers
// lay out map fields with two more numbers when the compiler says that it is
// there, which Debian's library has not. Those who must know have asked by
// then.

#ifdef __cplusplus
#include <memory>

#include "absl/base/config.h"
#endif
#undef __SANITIZE_THREAD__
