// HTML fragments as text: what ingest keeps of a summary or content, and what titles become.
// Tolerant of anything (tag soup, unknown entities, cut tails), linear in time and space, no state,
// any thread.
#pragma once

#include <string>
#include <string_view>

namespace racewatch::ingest {

// The visible text of an HTML fragment (UTF-8): entities decoded, white space collapsed, paragraphs
// and other blocks separated by one blank line, list items and table rows by a line break; script,
// style and comments left out.
std::string HtmlToText(std::string_view html);

// The same on one line, for titles and names.
std::string HtmlToLine(std::string_view html);

}  // namespace racewatch::ingest
