// Texts out of the store and its archive. A redaction is a record for the tagged topics that holds the article's labels
// and counts but neither title, text nor evidence; compaction removes the older records behind it, and the store, which
// reads it like any other, drops its own copy. Used by the takedown of one article and by the limit on how long texts
// are kept (store.text_days). Records are made from what the store keeps, so that a rebuild from the archive counts alike.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bus/sink.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

// For both tagged topics, since an article may lie in both. DATA_LOSS when `detail`, a row of Table::kDetail, is damaged.
base::Result<std::vector<base::Record>> RedactionRecords(std::string_view detail);

// Takes the article of this id or address down and waits for the delivery; its id. NOT_FOUND: the store does not hold it.
// Any thread.
base::Result<std::string> TakeDown(const View& view, base::Sink& sink, const std::string& article);

// The tagger hands on a withdrawn article without labels (header "withdrawn"), which would replace the labelled record in
// the archive. Sends the redaction of each such article of `records` behind it and waits, so that the archive keeps its
// labels; call it before the batch is committed. The store's thread. UNAVAILABLE: do the batch again.
// `complete`: the value of a record of this batch as the store would keep it.
using CompleteValue = std::function<std::string(const base::Record&)>;
base::Status KeepLabels(const View& view, base::Sink& sink, const std::vector<base::Record>& records, const CompleteValue& complete);

// Redacts what is older than `text_days`, once over all articles each day of the stream, a piece at each call. The store's
// thread.
class TextRetention {
 public:
  TextRetention(const View& view, base::Sink& sink, uint32_t text_days);
  // False when nothing is due. What could not be delivered is tried again the next day.
  base::Result<bool> Run(base::UnixMs stream_ms);

 private:
  struct Pending;  // shared with the sink's callbacks
  const View& view_;
  base::Sink& sink_;
  const uint32_t text_days_;
  const std::shared_ptr<Pending> pending_;
  int64_t pass_day_ = -1;
  std::string cursor_;
  bool passed_ = false;
};

}  // namespace racewatch::store
