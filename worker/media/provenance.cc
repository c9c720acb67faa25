#include "worker/media/provenance.h"

#include <sstream>
#include <utility>

#include "absl/strings/strip.h"
#include "base/pictures/picture_text.h"
#include "base/request_pictures.h"
#include "google/protobuf/util/json_util.h"
#include "pugixml.hpp"

namespace genzo {
namespace {

constexpr char kSourceTypes[] =
    "http://cv.iptc.org/newscodes/digitalsourcetype/";
constexpr char kSourceType[] = "Iptc4xmpExt:DigitalSourceType";
constexpr char kCreatorTool[] = "xmp:CreatorTool";
constexpr char kRequest[] = "genzo:Request";
constexpr char kEnlarged[] = "genzo:Enlarged";
// One JPEG segment holds the whole packet.
constexpr size_t kMaxPacketBytes = 65000;

// Namespaces by the prefixes that everybody writes; ours is a name, not a
// place.
constexpr std::pair<const char*, const char*> kNamespaces[] = {
    {"xmlns:xmp", "http://ns.adobe.com/xap/1.0/"},
    {"xmlns:Iptc4xmpExt", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"},
    {"xmlns:genzo", "urn:genzo:xmp:1"}};

// An attribute or, as some programs write it, an element of that name.
std::string Property(const pugi::xml_node& description, const char* name) {
  const pugi::xml_attribute attribute = description.attribute(name);
  return attribute ? attribute.value() : description.child_value(name);
}

// Only what makes the picture again: no pictures, nothing of the call.
std::string RequestJson(v1::GenerateRequest request, uint64_t seed,
                        uint64_t image_index) {
  request.set_seed(seed);
  if (request.has_variation()) {
    v1::Variation& variation = *request.mutable_variation();
    variation.set_seed(variation.seed() + image_index);
  }
  request.clear_image_count();
  request.clear_best_of();
  request.clear_request_id();
  request.clear_preview();
  request.clear_priority();
  request.clear_time_limit();
  request.clear_on_disconnect();
  ClearPictures(request);
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(request, &json);
  return status.ok() ? json : "";
}

std::string PacketOf(const Provenance& provenance) {
  pugi::xml_document document;
  const auto packet = [&](const char* value) {
    pugi::xml_node node = document.append_child(pugi::node_pi);
    node.set_name("xpacket");
    node.set_value(value);
  };
  packet("begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"");
  pugi::xml_node meta = document.append_child("x:xmpmeta");
  meta.append_attribute("xmlns:x") = "adobe:ns:meta/";
  pugi::xml_node rdf = meta.append_child("rdf:RDF");
  rdf.append_attribute("xmlns:rdf") =
      "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
  pugi::xml_node description = rdf.append_child("rdf:Description");
  description.append_attribute("rdf:about") = "";
  for (const auto& [prefix, address] : kNamespaces) {
    description.append_attribute(prefix) = address;
  }
  description.append_attribute(kSourceType) =
      (kSourceTypes + provenance.source_type).c_str();
  description.append_attribute(kCreatorTool) = provenance.creator_tool.c_str();
  if (!provenance.request_json.empty()) {
    description.append_attribute(kRequest) = provenance.request_json.c_str();
  }
  if (!provenance.enlarged_json.empty()) {
    pugi::xml_node list =
        description.append_child(kEnlarged).append_child("rdf:Seq");
    for (const std::string& json : provenance.enlarged_json) {
      list.append_child("rdf:li").text() = json.c_str();
    }
  }
  packet("end=\"w\"");
  std::ostringstream text;
  document.save(text, "", pugi::format_raw | pugi::format_no_declaration,
                pugi::encoding_utf8);
  return text.str();
}

}  // namespace

Provenance OriginOf(const v1::GenerateRequest& request) {
  const bool composite = request.has_inpainting() || request.has_outpainting();
  return {.source_type = composite ? "compositeWithTrainedAlgorithmicMedia"
                                   : "trainedAlgorithmicMedia",
          .creator_tool = "Genzo",
          .request_json = "",
          .enlarged_json = {}};
}

Provenance ProvenanceOf(const v1::GenerateRequest& request, uint64_t seed,
                        uint64_t image_index) {
  Provenance provenance = OriginOf(request);
  if (request.output().embed_parameters()) {
    provenance.request_json = RequestJson(request, seed, image_index);
  }
  return provenance;
}

std::string XmpOf(const Provenance& provenance) {
  std::string packet = PacketOf(provenance);
  if (packet.size() <= kMaxPacketBytes) return packet;
  Provenance brief = provenance;
  brief.request_json.clear();
  brief.enlarged_json.clear();
  return PacketOf(brief);
}

std::optional<Provenance> ReadXmp(std::string_view packet) {
  pugi::xml_document document;
  // External entities are not a thing that pugixml knows.
  if (!document.load_buffer(packet.data(), packet.size(), pugi::parse_default,
                            pugi::encoding_utf8)) {
    return std::nullopt;
  }
  const pugi::xml_node rdf = document.child("x:xmpmeta")
                                 ? document.child("x:xmpmeta").child("rdf:RDF")
                                 : document.child("rdf:RDF");
  if (!rdf) return std::nullopt;
  Provenance provenance;
  const auto take = [](std::string& to, std::string value) {
    if (to.empty()) to = std::move(value);
  };
  for (const pugi::xml_node& description : rdf.children("rdf:Description")) {
    take(provenance.source_type, Property(description, kSourceType));
    take(provenance.creator_tool, Property(description, kCreatorTool));
    take(provenance.request_json, Property(description, kRequest));
    for (const pugi::xml_node& item :
         description.child(kEnlarged).child("rdf:Seq").children("rdf:li")) {
      provenance.enlarged_json.emplace_back(item.child_value());
    }
  }
  provenance.source_type =
      std::string(absl::StripPrefix(provenance.source_type, kSourceTypes));
  return provenance;
}

}  // namespace genzo
