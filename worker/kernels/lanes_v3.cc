#define GENZO_LANES kLanesV3
#include "worker/kernels/lanes.inc"
