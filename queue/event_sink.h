#ifndef GENZO_QUEUE_EVENT_SINK_H_
#define GENZO_QUEUE_EVENT_SINK_H_

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Where the events of one job go. Whoever posts has filled in job_id and
// sequence. Thread-safe.
class EventSink {
 public:
  virtual ~EventSink() = default;

  // Takes an event; must not block. `ended` is the last one: what comes after
  // it is ignored.
  virtual void Post(v1::JobEvent event) = 0;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_EVENT_SINK_H_
