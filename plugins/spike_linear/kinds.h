//! What products of bytes and products of floats call their types and loops.
#ifndef SPIKEHALT_KINDS_H
#define SPIKEHALT_KINDS_H

#include "memory.h"
#include "sums_loops.h"

namespace spikehalt
{

struct Bytes
{
    using X = uint8_t;
    using W = int8_t;
    using Sum = int32_t;
    using List = ByteList;
    using Loops = ByteLoops;

    static Loops const& loops() { return byteLoops(); }
    static Count count(Loops const& loops, X const* x, int64_t count) { return loops.count(x, count); }

    //! With room for `inputs` activations.
    static List emptyList(Scratch& scratch, int64_t inputs)
    {
        auto* const places = scratch.take<uint32_t>(placesOf(inputs));
        return {places, scratch.take<uint8_t>(placesOf(inputs)), 0, 0};
    }
};

struct Floats
{
    using X = float;
    using W = float;
    using Sum = float;
    using List = FloatList;
    using Loops = FloatLoops;

    static Loops const& loops() { return floatLoops(); }
    static Count count(Loops const& loops, X const* x, int64_t count) { return {loops.count(x, count), 0}; }

    static List emptyList(Scratch& scratch, int64_t inputs)
    {
        auto* const places = scratch.take<uint32_t>(inputs);
        auto* const values = scratch.take<float>(inputs);
        return {places, values, scratch.take<int32_t>(groupsOf(inputs)), 0};
    }
};

} // namespace spikehalt

#endif
