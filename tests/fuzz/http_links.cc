#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/picture_store.h"
#include "gateway/target.h"

// Links to pictures: no target leads to one that is not the link itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static genzo::PictureStore* const store =
      new genzo::PictureStore("key", {}, genzo::Clock::Real());
  static const std::string* const link =
      new std::string("/files/" + store->Keep("bytes", "image/png"));
  const std::string text(reinterpret_cast<const char*>(data), size);
  // What begins with a number is that much of the true link, and more.
  const size_t kept = size > 0 ? data[0] % (link->size() + 1) : 0;
  for (const std::string& target :
       {text, link->substr(0, kept) + text.substr(size > 0 ? 1 : 0)}) {
    const auto read = genzo::ParseTarget(target);
    if (!read.ok() || read->path.rfind("/files/", 0) != 0) continue;
    auto query = read->query;
    const std::string name = read->path.substr(7);
    const bool is_there =
        store->Find(name, query["expires"], query["signature"]).ok();
    if (is_there &&
        (link->find(name) == std::string::npos ||
         link->find("expires=" + query["expires"]) == std::string::npos ||
         link->find("signature=" + query["signature"]) == std::string::npos)) {
      std::abort();
    }
  }
  return 0;
}
