#ifndef GENZO_CLIENT_TERMINAL_ART_H_
#define GENZO_CLIENT_TERMINAL_ART_H_

#include <string>
#include <vector>

#include "client/picture_reader.h"

namespace genzo {

// How many colours a terminal shows.
enum class ColorDepth { k256, kTrueColor };

// `image` as lines of text at most `columns` wide and `rows` high: each
// character is an upper half block, its colours two pixels one above the other.
// Keeps the picture's proportions. Lines end with a reset of colours.
std::vector<std::string> HalfBlockArt(const RgbImage& image, int columns,
                                      int rows, ColorDepth depth);

}  // namespace genzo

#endif  // GENZO_CLIENT_TERMINAL_ART_H_
