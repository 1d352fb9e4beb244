// The element and attribute names that extraction knows, as small numbers, and what the HTML standard says
// about each element. Everything else becomes kOther (elements) or is dropped (attributes), which bounds what
// a page can make us keep. Constant data, safe on any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace racewatch::ingest::page {

enum class Tag : uint8_t {
  kText, kRoot, kOther,
  kA, kAbbr, kAddress, kArticle, kAside, kAudio, kB, kBase, kBlockquote, kBody, kBr, kButton, kCanvas, kCaption,
  kCite, kCode, kCol, kDd, kDel, kDetails, kDialog, kDiv, kDl, kDt, kEm, kEmbed, kFieldset, kFigcaption, kFigure,
  kFont, kFooter, kForm, kFrameset, kH1, kH2, kH3, kH4, kH5, kH6, kHead, kHeader, kHgroup, kHr, kHtml, kI, kIframe,
  kImg, kInput, kIns, kLabel, kLegend, kLi, kLink, kMain, kMath, kMenu, kMeta, kNav, kNoembed, kNoframes, kNoscript,
  kObject, kOl, kOptgroup, kOption, kP, kParam, kPicture, kPre, kQ, kRp, kRt, kS, kScript, kSearch, kSection, kSelect,
  kSmall, kSource, kSpan, kStrike, kStrong, kStyle, kSub, kSummary, kSup, kSvg, kTable, kTbody, kTd, kTemplate,
  kTextarea, kTfoot, kTh, kThead, kTime, kTitle, kTr, kTrack, kTt, kU, kUl, kVideo, kWbr, kXmp,
  kCount,
};

enum class Attr : uint8_t {
  kNone,
  kAriaHidden, kAriaLabel, kCharset, kClass, kContent, kDataComponent, kDataTestid, kDatetime, kHidden, kHref,
  kHttpEquiv, kId, kItemprop, kItemtype, kLang, kName, kProperty, kRel, kRole, kStyle, kTitle, kType,
};

// Any case; kOther and kNone when unknown.
Tag TagByName(std::string_view name);
Attr AttrByName(std::string_view name);

namespace tag_bits {
inline constexpr uint8_t kVoid = 1;        // has no content and no end tag
inline constexpr uint8_t kBlock = 2;       // starts and ends a line of text
inline constexpr uint8_t kRaw = 4;         // its content is text up to its end tag
inline constexpr uint8_t kEndsP = 8;       // its start tag ends an open <p>
inline constexpr uint8_t kScope = 16;      // end tags do not reach beyond it
inline constexpr uint8_t kHeadOnly = 32;   // may stand in <head> without ending it
inline constexpr uint8_t kSilent = 64;     // its content is never article text
}  // namespace tag_bits

uint8_t TagBits(Tag tag);
inline bool IsBlock(Tag tag) { return TagBits(tag) & tag_bits::kBlock; }
inline bool IsHeading(Tag tag) { return tag >= Tag::kH1 && tag <= Tag::kH6; }

}  // namespace racewatch::ingest::page
