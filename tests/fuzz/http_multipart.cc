#include <cstdint>
#include <cstdlib>

#include "gateway/multipart.h"

// The parts lie in the body, in order, and are named. The first line is the
// content type.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\n');
  if (end == absl::string_view::npos) return 0;
  genzo::BoundaryOf(text.substr(0, end));
  const absl::string_view body = text.substr(end + 1);
  const auto parts = genzo::ParseForm(body, "b");
  if (!parts.ok()) return 0;
  const char* last = body.data();
  for (const genzo::FormPart& part : *parts) {
    if (part.name.empty() || part.content.data() < last) std::abort();
    last = part.content.data() + part.content.size();
    if (last > body.data() + body.size()) std::abort();
  }
  return 0;
}
