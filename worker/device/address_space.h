#ifndef GENZO_WORKER_DEVICE_ADDRESS_SPACE_H_
#define GENZO_WORKER_DEVICE_ADDRESS_SPACE_H_

namespace genzo {

// For the first line of a program's main(). Where the address space is limited
// (`ulimit -v`), runs the program anew, with the same arguments and process id,
// under an allocator that gives freed addresses back. By default jemalloc keeps
// them for itself, which evaluations of several rows are a fifth faster for,
// and after memory has once run out nobody else would get any: oneDNN's kernels
// are mapped apart. MALLOC_CONF with a `retain` of its own is left alone.
void RestartIfAddressSpaceIsLimited(char** argv);

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_ADDRESS_SPACE_H_
