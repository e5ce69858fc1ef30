//! Instruction sets that loops written by hand are compiled for, and the one that this CPU runs.
//!
//! A file of such loops compiles whole regions for its set, so that one library serves every CPU of
//! the architecture. Standard headers come before the region: what they define must run anywhere.
#ifndef SPIKEHALT_ONNXRUNTIME_INSTRUCTIONS_H
#define SPIKEHALT_ONNXRUNTIME_INSTRUCTIONS_H

#include "status.h"

#define SPIKEHALT_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define SPIKEHALT_TARGET_BEGIN(set) \
    SPIKEHALT_PRAGMA(clang attribute push(__attribute__((target(set))), apply_to = function))
#define SPIKEHALT_TARGET_END SPIKEHALT_PRAGMA(clang attribute pop)
#else
#define SPIKEHALT_TARGET_BEGIN(set) SPIKEHALT_PRAGMA(GCC push_options) SPIKEHALT_PRAGMA(GCC target(set))
#define SPIKEHALT_TARGET_END SPIKEHALT_PRAGMA(GCC pop_options)
#endif

namespace spikehalt::ort
{

enum class Instructions
{
    kPLAIN,   //!< what every CPU of the architecture has
    kAVX2,    //!< with FMA
    kAVX512,  //!< F, BW, DQ and VL
    kVNNI,    //!< AVX-512 with products of bytes
    kAMX,     //!< and with tiles of them
    kNEON,
    kDOTPROD, //!< NEON with products of bytes
};

//! Whether this CPU has the set.
bool runs(Instructions set);

//! The best set this CPU has, or the one that SPIKEHALT_INSTRUCTIONS names: plain, avx2, avx512, vnni,
//! amx, neon or dotprod. Throws OpError if it names none that the CPU has. It is read once.
Instructions instructions();

//! Its name.
char const* instructionsName();

} // namespace spikehalt::ort

#endif
