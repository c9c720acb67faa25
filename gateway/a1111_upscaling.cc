#include "gateway/a1111_upscaling.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/latent_modes.h"
#include "gateway/a1111_routes.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/late_cancel.h"
#include "gateway/painting.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr size_t kMostPictures = 64;

json UpscalerEntry(const std::string& name, uint32_t scale) {
  return {{"name", name},
          {"model_name", nullptr},
          {"model_path", nullptr},
          {"model_url", nullptr},
          {"scale", scale}};
}

// "Lanczos" is what A1111 calls the filter.
std::string UpscalerNamed(const std::string& name) {
  return absl::EqualsIgnoreCase(name, "Lanczos") ? "lanczos" : name;
}

void ListUpscalers(Backend& backend, const HttpRequest& request,
                   const HttpExchangeRef& exchange) {
  backend.ListUpscalers(
      KeysOf(request),
      [exchange](absl::StatusOr<v1::ListUpscalersResponse> list) {
        if (!list.ok()) return exchange->Send(A1111Refusal(list.status()));
        json entries = json::array({UpscalerEntry("None", 1)});
        for (const v1::Upscaler& upscaler : list->upscalers()) {
          entries.push_back(UpscalerEntry(
              upscaler.name(), upscaler.scale() == 0 ? 4 : upscaler.scale()));
        }
        exchange->Send({.body = Dump(entries)});
      });
}

// The fields that both calls of extras have; pictures are added later.
v1::UpscaleRequest ReadExtras(FieldReader& reader) {
  v1::UpscaleRequest request;
  const std::string name = reader.Text("upscaler_1").value_or("None");
  const bool is_none = name.empty() || name == "None";
  request.set_upscaler(is_none ? "lanczos" : UpscalerNamed(name));
  for (const char* lacking : {"gfpgan_visibility", "codeformer_visibility",
                              "extras_upscaler_2_visibility"}) {
    if (reader.Number(lacking, 0, 1).value_or(0) > 0) {
      reader.Fail(lacking, "is given, but this server does not have it");
    }
  }
  if (is_none) {  // then the size is not looked at either
    request.set_factor(1);
  } else if (reader.Whole("resize_mode", 0, 1).value_or(0) == 1) {
    request.set_width(static_cast<uint32_t>(
        reader.Whole("upscaling_resize_w", 1, kMaxCount).value_or(512)));
    request.set_height(static_cast<uint32_t>(
        reader.Whole("upscaling_resize_h", 1, kMaxCount).value_or(512)));
    if (!reader.Truth("upscaling_crop").value_or(true)) {
      reader.Fail("upscaling_crop",
                  "is false, but this server gives the very size, cropped");
    }
  } else {  // by default A1111's own
    request.set_factor(reader.Number("upscaling_resize", 0, 1e6).value_or(2));
  }
  return request;
}

// A batch under way: its pictures one after the other, as they were sent.
struct Batch {
  Backend& backend;
  CallerKeys keys;
  HttpExchangeRef exchange;
  bool is_single;
  std::vector<v1::UpscaleRequest> requests;
  std::shared_ptr<A1111Seats::Ticket> ticket = nullptr;
  // How each picture's call is ended, also before it is made.
  std::shared_ptr<std::vector<LateCancel>> ends = nullptr;
  json images = json::array();
};

std::string PlaceInList(size_t index) {
  return Inside(EntryOf("imageList", index), "data");
}

// What the fields of the picture that is under way are called.
FieldNames NamesIn(const Batch& batch) {
  if (batch.is_single) return A1111ExtrasNames();
  return Followed({{"picture...", PlaceInList(batch.images.size())}},
                  A1111ExtrasNames());
}

void SendBatch(Batch& batch) {
  json answer = {{"html_info", ""}};
  if (batch.is_single) {
    // As A1111: one that was interrupted is as it came.
    answer["image"] =
        batch.images.empty()
            ? json(absl::Base64Escape(batch.requests[0].picture().data()))
            : batch.images[0];
  } else {
    answer["images"] = std::move(batch.images);
  }
  batch.exchange->Send({.body = Dump(answer)});
}

void RunNext(const std::shared_ptr<Batch>& batch) {
  const size_t index = batch->images.size();
  if (index == batch->requests.size() || batch->ticket->job().was_interrupted) {
    return SendBatch(*batch);
  }
  CancelStream cancel = batch->backend.Upscale(
      batch->keys, batch->requests[index],
      Collecting(
          [batch, index](const v1::JobEvent& event) {
            batch->ticket->Take(event, static_cast<uint32_t>(index));
          },
          [batch](absl::StatusOr<Painting> painting) {
            if (painting.ok()) {
              batch->images.push_back(absl::Base64Escape(
                  painting->images.begin()->second.picture().data()));
              RunNext(batch);
            } else if (batch->ticket->job().was_interrupted) {
              SendBatch(*batch);
            } else {
              batch->exchange->Send(
                  A1111Refusal(Renamed(painting.status(), NamesIn(*batch))));
            }
          }));
  (*batch->ends)[index].Set(std::move(cancel));
}

// Appends the request for one picture, or says what is wrong with it.
void AddPicture(const v1::UpscaleRequest& request, const std::string& field,
                const std::string& base64, FieldReader& reader, Batch& batch) {
  v1::UpscaleRequest& added = batch.requests.emplace_back(request);
  added.mutable_picture()->set_data(PictureIn(reader, field, base64));
}

// The requests for the pictures of a batch.
void AddPictures(const v1::UpscaleRequest& request, FieldReader& reader,
                 Batch& batch) {
  const json* list = reader.List("imageList");
  if (list == nullptr) {
    if (reader.Any("imageList") == nullptr) {
      reader.Fail("imageList", "is missing");
    }
    return;
  }
  if (list->empty() || list->size() > kMostPictures) {
    return reader.Fail(
        "imageList",
        absl::StrCat("has ", list->size(), " pictures, which is not 1 to ",
                     kMostPictures));
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const json& entry = (*list)[i];
    const bool has_data = entry.is_object() && entry.contains("data") &&
                          entry["data"].is_string();
    AddPicture(request, PlaceInList(i),
               has_data ? entry["data"].get<std::string>() : "", reader, batch);
  }
}

void Extras(Backend& backend, A1111Seats& seats, bool is_single,
            const HttpRequest& request, const HttpExchangeRef& exchange) {
  const auto body = ParseJsonObject(request.body);
  if (!body.ok()) return exchange->Send(A1111Refusal(body.status()));
  FieldReader reader(*body);
  const v1::UpscaleRequest common = ReadExtras(reader);
  const auto batch = std::make_shared<Batch>(Batch{.backend = backend,
                                                   .keys = KeysOf(request),
                                                   .exchange = exchange,
                                                   .is_single = is_single,
                                                   .requests = {}});
  if (is_single) {
    AddPicture(common, "image", reader.Text("image").value_or(""), reader,
               *batch);
  } else {
    AddPictures(common, reader, *batch);
  }
  if (!reader.status().ok())
    return exchange->Send(A1111Refusal(reader.status()));
  batch->ticket =
      seats.Sit(batch->keys, static_cast<uint32_t>(batch->requests.size()));
  batch->ends =
      std::make_shared<std::vector<LateCancel>>(batch->requests.size());
  const CancelStream end = [ends = batch->ends] {
    for (LateCancel& each : *ends) each.Cancel();
  };
  batch->ticket->SetCancel(end);
  exchange->OnGone(end);
  RunNext(batch);
}

}  // namespace

std::vector<Route> A1111UpscalingRoutes(Backend& backend, A1111Seats& seats) {
  const auto extras = [&backend, &seats](bool is_single) {
    return [&backend, &seats, is_single](HttpRequest request,
                                         HttpExchangeRef exchange) {
      Extras(backend, seats, is_single, request, exchange);
    };
  };
  json modes = json::array();
  for (const auto& [name, mode] : kLatentModes) {
    modes.push_back({{"name", name}});
  }
  return {A1111Get("upscalers",
                   [&backend](HttpRequest request, HttpExchangeRef exchange) {
                     ListUpscalers(backend, request, exchange);
                   }),
          A1111Get("latent-upscale-modes",
                   [body = Dump(modes)](HttpRequest, HttpExchangeRef exchange) {
                     exchange->Send({.body = body});
                   }),
          A1111Post("extra-single-image", extras(true)),
          A1111Post("extra-batch-images", extras(false))};
}

}  // namespace genzo
