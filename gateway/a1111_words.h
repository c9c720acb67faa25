#ifndef GENZO_GATEWAY_A1111_WORDS_H_
#define GENZO_GATEWAY_A1111_WORDS_H_

#include "gateway/a1111.h"
#include "gateway/json_body.h"

namespace genzo {

// Reads what A1111 has no name for, and is called here as at the other doors:
// best_of, controls, guidance, hires, loras, priority, output_format and so on.
// To be called behind A1111's own fields: a thing that has a name of either
// kind may be asked for by one of them alone, and what the service says of it
// is said by that one, in `call.names`. The other doors' names for what A1111
// has a name for are faults that tell it; names that only strangers know are
// passed over, for clients send many. Faults go to `reader`.
void ReadOthersWords(FieldReader& reader, A1111Call& call);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_WORDS_H_
