// The archives whose items are lines: JSONL (GDELT's GAL files too), CSV, TSV and GDELT's GKG 2.1. Made by OpenArchive.
#pragma once

#include <memory>
#include <string>

#include "ingest/backfill/archive.h"
#include "ingest/backfill/input_stream.h"

namespace racewatch::ingest {

// A text as HTML paragraphs, or as it stands when it is HTML.
std::string TextToHtml(std::string_view text);

base::Result<std::unique_ptr<ArchiveReader>> OpenRows(const std::string& file, ArchiveFormat format, const ArchiveOptions& options,
                                                      std::unique_ptr<InputStream> input);

}  // namespace racewatch::ingest
