#ifndef GENZO_WORKER_TEXT_UNICODE_TEXT_H_
#define GENZO_WORKER_TEXT_UNICODE_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace genzo {

// CLIP's text cleaning, as the reference tokenizer does it: Unicode NFC, then
// white space characters to one space a run, then lower case of each code point
// by itself (so no final sigma). Bytes that are not UTF-8 become U+FFFD.
// Characters are those that ICU knows, Unicode 15 in Debian 12: younger letters
// count as symbols where the reference's tables are newer.
std::string NormalizeText(std::string_view text);

// What a file or a user wrote, for a message that must travel as UTF-8 and be
// printed: U+FFFD stands for bytes that are not UTF-8, for controls and for
// marks that change the direction of writing; what is over `max_bytes` is cut.
std::string PrintableText(std::string_view text, size_t max_bytes);

// Splits normalised text into the pieces that are encoded one by one: English
// contractions ('s 't 're 've 'm 'll 'd), runs of letters, single numbers, runs
// of anything else. White space separates and is dropped.
std::vector<std::string> SplitWords(std::string_view text);

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_UNICODE_TEXT_H_
