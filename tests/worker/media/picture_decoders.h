#ifndef GENZO_TESTS_WORKER_MEDIA_PICTURE_DECODERS_H_
#define GENZO_TESTS_WORKER_MEDIA_PICTURE_DECODERS_H_

#include <string>

#include "worker/media/pixels.h"

namespace genzo {

// What a file holds, as its format's own library reads it.
struct DecodedPicture {
  Pixels pixels;
  std::string exif;         // from the TIFF header on; empty if there is none
  bool full_color = false;  // JPEG: as many colour samples as pixels
  bool baseline = false;    // JPEG: sequential Huffman, eight bits
};

// Sound files only: libjpeg ends the process at others.
DecodedPicture DecodeJpeg(const std::string& file);
// A size of 0 if the file is not sound.
DecodedPicture DecodeWebp(const std::string& file);

// A file of tests/data/pictures, and one of its .ppm as it is stored.
std::string PictureData(const std::string& name);
Pixels ReadPpm(const std::string& name);

// Colours and edges that change from place to place, as in a photograph.
Pixels Scene(int width, int height);

// Peak signal-to-noise ratio in dB; -1 for pictures of different sizes.
double Psnr(const Pixels& a, const Pixels& b);

}  // namespace genzo

#endif  // GENZO_TESTS_WORKER_MEDIA_PICTURE_DECODERS_H_
