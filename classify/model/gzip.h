// Gzip files in one piece, as corpora are kept. No state; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace racewatch::classify {

bool IsGzip(std::string_view bytes);

// The content of gzip `bytes`, at most 1 GiB. INVALID_ARGUMENT with `path` when they are cut, changed or larger.
base::Result<std::string> Gunzip(const std::string& path, std::string_view bytes);

// The content of a file, NOT_FOUND with its name; the second unpacks it if it is gzip.
base::Result<std::string> ReadFile(const std::string& path);
base::Result<std::string> ReadPlainOrGzip(const std::string& path);

// The same content always gives the same bytes.
std::string Gzip(std::string_view content);

}  // namespace racewatch::classify
