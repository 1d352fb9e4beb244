// A snapshot that could not be taken: every read says why. Immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/engine.h"

namespace racewatch::store {

class FailedView final : public View {
 public:
  explicit FailedView(base::Status why) : why_(std::move(why)) {}
  base::Result<std::optional<std::string>> Get(Table, std::string_view) const override { return why_; }
  base::Result<std::vector<std::optional<std::string>>> MultiGet(Table, const std::vector<std::string_view>&) const override { return why_; }
  base::Status Scan(Table, std::string_view, std::string_view, bool, const Visit&) const override { return why_; }

 private:
  const base::Status why_;
};

}  // namespace racewatch::store
