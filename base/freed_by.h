#ifndef GENZO_BASE_FREED_BY_H_
#define GENZO_BASE_FREED_BY_H_

#include <memory>

namespace genzo {

// What a C library made and `function` of it frees:
//
//   using Handle = FreedBy<CURL, curl_easy_cleanup>;
template <auto function>
struct Freeing {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
template <typename T, auto function>
using FreedBy = std::unique_ptr<T, Freeing<function>>;

}  // namespace genzo

#endif  // GENZO_BASE_FREED_BY_H_
