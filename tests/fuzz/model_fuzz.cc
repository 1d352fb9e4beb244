// Any bytes as a document: never a crash, offsets inside, the same answer twice, explanations that add up.
#include <cmath>
#include <cstdlib>
#include <memory>

#include "classify/model/model.h"
#include "racewatch/v1/classifier_service.pb.h"
#include "racewatch/v1/tags.pb.h"

namespace {

using racewatch::classify::Model;

const Model& Shipped() {
  static const std::unique_ptr<Model> model = [] {
    auto loaded = Model::Load(racewatch::classify::DefaultModelPath());
    if (!loaded.ok()) std::abort();
    return std::move(loaded).value();
  }();
  return *model;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static racewatch::classify::Scratch scratch;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t cut = size ? data[0] % size : 0;
  const racewatch::classify::DocumentView document{all.substr(0, cut), all.substr(cut), {}};
  racewatch::v1::Tags tags, again;
  Shipped().Classify(document, scratch, &tags);
  Shipped().Classify(document, scratch, &again);
  if (tags.SerializeAsString() != again.SerializeAsString()) std::abort();
  for (const auto& e : tags.evidence())
    if (size_t{e.start()} + e.length() > size + 1) std::abort();
  racewatch::v1::ExplainResponse response;
  if (!Shipped().Explain(document, {"relevance", "theme:export_controls", "lean:us"}, scratch, &response).ok()) std::abort();
  for (const auto& label : response.labels()) {
    double sum = label.bias();
    for (const auto& c : label.contributions()) sum += c.weight();
    if (std::fabs(sum - label.logit()) > 1e-2) std::abort();
  }
  return 0;
}
