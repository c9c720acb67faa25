#ifndef GENZO_GATEWAY_A1111_BLANK_H_
#define GENZO_GATEWAY_A1111_BLANK_H_

#include <cstdint>
#include <string>

#include "gateway/painting.h"

namespace genzo {

// A black picture as a PNG file of sRGB, as large as that. Pure.
std::string BlackPng(uint32_t width, uint32_t height);

// Puts a black picture in the place of each that was withheld, of the size that
// the request paints and with its seed, as A1111's own safety checker does: its
// clients take the first picture without asking whether there is one.
void BlackOutWithheld(Painting& painting);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_BLANK_H_
