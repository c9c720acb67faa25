#ifndef GENZO_CLIENT_METRICS_PAGE_H_
#define GENZO_CLIENT_METRICS_PAGE_H_

#include <string>

#include "client/metrics_text.h"

namespace genzo {

// A reader of http://`address`/metrics. Its result is UNAVAILABLE if the page
// cannot be had. For one thread at a time.
MetricsReader ReadMetricsFrom(const std::string& address);

}  // namespace genzo

#endif  // GENZO_CLIENT_METRICS_PAGE_H_
