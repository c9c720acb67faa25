#include "worker/weights/torch_file/pickle_bytes.h"

#include "absl/strings/str_cat.h"

namespace genzo {

void PickleBytes::Fail(const std::string& what) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(
      absl::StrCat("pickle, byte ", begin_, ": ", what));
}

std::string_view PickleBytes::Take(uint64_t count) {
  if (count > pickle_.size() - at_) {
    Fail("is cut off");
    return {};
  }
  const std::string_view taken = pickle_.substr(at_, count);
  at_ += count;
  return taken;
}

uint64_t PickleBytes::Unsigned(size_t bytes) {
  uint64_t number = 0;
  const std::string_view taken = Take(bytes);
  for (size_t i = 0; i < taken.size(); ++i) {
    number |= uint64_t{static_cast<unsigned char>(taken[i])} << (8 * i);
  }
  return number;
}

int64_t PickleBytes::Long(size_t bytes) {
  if (bytes > 8) {
    Fail("number of more than 64 bits");
    return 0;
  }
  uint64_t number = Unsigned(bytes);
  if (bytes > 0 && bytes < 8 && (number >> (8 * bytes - 1)) != 0) {
    number |= ~uint64_t{0} << (8 * bytes);
  }
  return static_cast<int64_t>(number);
}

std::string PickleBytes::Line() {
  const size_t end = pickle_.find('\n', at_);
  if (end == std::string_view::npos) {
    Fail("is cut off");
    return "";
  }
  const std::string line(pickle_.substr(at_, end - at_));
  at_ = end + 1;
  return line;
}

}  // namespace genzo
