#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "server/jobs/job_book.h"
#include "server/rpc/model_registry_service.h"

// Tokens of pages of jobs and of models: a page never has more than was asked
// for, and nothing of another tenant.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using genzo::JobBook;
  static JobBook* const book = [] {
    auto* made = new JobBook(/*most_jobs=*/100, absl::Hours(1),
                             genzo::Clock::Real(), {});
    for (int i = 0; i < 6; ++i) {
      genzo::internal::v1::KeptJob job;
      job.mutable_job()->set_id(std::to_string(i));
      job.mutable_job()->mutable_create_time()->set_seconds(1'000'000 + i);
      job.set_tenant(i % 2 == 0 ? "even" : "odd");
      made->Add(job);
    }
    return made;
  }();
  if (size == 0) return 0;
  const std::string token(reinterpret_cast<const char*>(data + 1), size - 1);
  genzo::v1::ListJobsRequest request;
  request.set_page_size(static_cast<int8_t>(data[0]));
  request.set_page_token(token);
  const auto page = book->List("even", request);
  if (page.ok() && request.page_size() > 0 &&
      page->jobs_size() > request.page_size()) {
    std::abort();
  }
  for (int i = 0; page.ok() && i < page->jobs_size(); ++i) {
    if ((page->jobs(i).id()[0] - '0') % 2 != 0) std::abort();
  }
  genzo::v1::Model model;
  model.set_id("m");
  genzo::v1::ListModelsRequest models;
  models.set_page_size(request.page_size());
  models.set_page_token(token);
  (void)genzo::ListPage({model, model}, models);
  return 0;
}
