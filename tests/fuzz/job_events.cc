#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "base/event_assembler.h"
#include "genzo/v1/jobs.pb.h"
#include "server/jobs/event_parts.h"

// Events of a stream, whole and in pieces, as clients and the door read them:
// what is taken apart is put together again; pieces that do not belong together
// never make a picture.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  genzo::v1::JobEvent event;
  genzo::EventAssembler strange;
  // Several messages, each after a byte that says how long it is.
  for (size_t at = 0; at < size;) {
    const size_t length = std::min<size_t>(data[at], size - at - 1);
    if (event.ParseFromArray(data + at + 1, static_cast<int>(length))) {
      (void)strange.Add(event);
    }
    at += 1 + length;
  }
  if (!event.ParseFromArray(data, static_cast<int>(size))) return 0;
  genzo::v1::Picture* const picture = genzo::PictureOf(event);
  if (picture == nullptr || event.has_chunk()) return 0;
  // Enough for several pieces.
  const size_t times =
      picture->data().empty() ? 0 : (9u << 20) / picture->data().size();
  if (times > 0 && times < 1'000'000) {
    std::string large;
    for (size_t i = 0; i < times; ++i) large += picture->data();
    picture->set_data(std::move(large));
  }
  genzo::EventAssembler assembler;
  genzo::EventParts parts(std::make_shared<const genzo::v1::JobEvent>(event));
  std::optional<genzo::v1::JobEvent> whole;
  while (const auto part = parts.Next()) {
    if (whole.has_value()) std::abort();  // complete before the last piece
    whole = assembler.Add(*part);
  }
  if (!whole.has_value() ||
      whole->SerializeAsString() != event.SerializeAsString()) {
    std::abort();
  }
  return 0;
}
