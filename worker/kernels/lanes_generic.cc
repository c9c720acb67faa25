#define GENZO_LANES kLanesGeneric
#include "worker/kernels/lanes.inc"
