#include "ingest/feed/month_names.h"

#include <array>

namespace racewatch::ingest::feed {
namespace {

// One line a language, twelve names separated by blanks; an abbreviation matches as a prefix,
// irregular ones follow on a line of their own ('-' fills a month without one).
constexpr auto kMonths = std::to_array<std::string_view>({
    "january february march april may june july august september october november december",
    "- - - - - - - - sept - - -",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "jänner feber maerz - - - - - - - - -",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "- fevrier - - - - - aout - - - decembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "- - - - - - - - setiembre - - -",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "- - marco - - - - - - - - -",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "- - mrt - - - - - - - - -",
    "januari februari maret april mei juni juli agustus september oktober november desember",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada "
    "grudnia",
    "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad "
    "grudzień",
    "ledna února března dubna května června července srpna září října listopadu prosince",
    "január február március április május június július augusztus szeptember október november "
    "december",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie "
    "decembrie",
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta "
    "syyskuuta lokakuuta marraskuuta joulukuuta",
    "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου "
    "νοεμβρίου δεκεμβρίου",
    "ιαν φεβ μαρ απρ μαι ιουν ιουλ αυγ σεπ οκτ νοε δεκ",
    "- - μάρ - μάι ιούν ιούλ αύγ - - - -",
    "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
});

constexpr size_t kPrefixBytesMin = 3;

// Characters in `word`: three letters are the least that can stand for a month.
size_t Letters(std::string_view word) {
  size_t n = 0;
  for (const char c : word) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

int MonthIn(std::string_view names, std::string_view word) {
  const bool prefix_allowed = Letters(word) >= kPrefixBytesMin;
  for (int month = 1; !names.empty(); ++month) {
    const std::string_view name = names.substr(0, names.find(' '));
    if (name == word || (prefix_allowed && name.starts_with(word))) return month;
    names.remove_prefix(name.size() == names.size() ? name.size() : name.size() + 1);
  }
  return 0;
}

}  // namespace

int MonthOf(std::string_view word) {
  if (word.empty() || word == "-") return 0;
  for (const std::string_view names : kMonths)
    if (const int month = MonthIn(names, word); month > 0) return month;
  return 0;
}

}  // namespace racewatch::ingest::feed
