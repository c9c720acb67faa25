#define GENZO_LANES kLanesBf16
#include "worker/kernels/lanes.inc"
