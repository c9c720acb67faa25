#define GENZO_LANES kLanesV4
#include "worker/kernels/lanes.inc"
