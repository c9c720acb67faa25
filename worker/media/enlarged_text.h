#ifndef GENZO_WORKER_MEDIA_ENLARGED_TEXT_H_
#define GENZO_WORKER_MEDIA_ENLARGED_TEXT_H_

#include <string_view>

#include "base/pictures/picture_text.h"
#include "genzo/v1/upscaling.pb.h"

namespace genzo {

// What the file of a larger picture says, made from the file `request.picture`
// as the request, resolved, asks for: with embed_parameters what that file said
// of itself and how it was enlarged, with mark_provenance that a machine
// painted it, if that file says so, and else that a network enlarged it (IPTC
// algorithmicallyEnhanced; nothing of `by_network` false, a filter). The
// enlarging is told at the end of the parameters; beside none, as the web UI
// does, under "postprocessing", which only PNG holds; and in the mark's
// enlarged_json. Safe on any bytes. Thread-safe.
PictureText EnlargedText(const v1::UpscaleRequest& request, bool by_network);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_ENLARGED_TEXT_H_
