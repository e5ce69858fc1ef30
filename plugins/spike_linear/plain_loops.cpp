//! The loops in plain C++, for every CPU: compilers make short vectors of them.
#include "sums_loops.h"

#include "../onnxruntime/instructions.h"
#include "../onnxruntime/vectors.h"

#include <string.h>

#include "float_sums.h"
#include "listed_sums.h"

namespace spikehalt
{
namespace
{

struct Plain
{
    static constexpr int64_t kUNIT = 16;
    static constexpr int kTILE = 4;
    static constexpr int32_t kLARGEST = 127;
    static constexpr bool kCOMPRESSES = false;

    static SPIKEHALT_INLINE uint64_t nonZero(uint8_t const* x)
    {
        uint64_t mask = 0;
        for (int i = 0; i < kBLOCK; ++i)
        {
            mask |= static_cast<uint64_t>(x[i] != 0) << i;
        }
        return mask;
    }

    using Largest = int32_t;
    static SPIKEHALT_INLINE Largest noLargest() { return 0; }
    static SPIKEHALT_INLINE Largest larger(Largest largest, uint8_t const* x)
    {
        for (int i = 0; i < kBLOCK; ++i)
        {
            largest = x[i] > largest ? x[i] : largest;
        }
        return largest;
    }
    static SPIKEHALT_INLINE int32_t largest(Largest found) { return found; }

    struct Pair
    {
        int16_t first;
        int16_t second;
    };
    static SPIKEHALT_INLINE Pair pair(uint8_t const* values) { return {values[0], values[1]}; }

    typedef int8_t Weights __attribute__((vector_size(8)));
    typedef int16_t Wide __attribute__((vector_size(16)));
    struct Sums
    {
        Wide low;
        Wide high;
    };
    static SPIKEHALT_INLINE Sums zero() { return {Wide{}, Wide{}}; }

    static SPIKEHALT_INLINE Wide wide(int8_t const* from)
    {
        Weights weights;
        memcpy(&weights, from, sizeof(weights));
        return __builtin_convertvector(weights, Wide);
    }

    static SPIKEHALT_INLINE void addPair(Sums& sums, int8_t const* a, int8_t const* b, Pair pair)
    {
        sums.low += wide(a) * pair.first + wide(b) * pair.second;
        sums.high += wide(a + kUNIT / 2) * pair.first + wide(b + kUNIT / 2) * pair.second;
    }

    static SPIKEHALT_INLINE void flush(Sums const& sums, int32_t* out)
    {
        for (int i = 0; i < kUNIT / 2; ++i)
        {
            out[i] += sums.low[i];
            out[kUNIT / 2 + i] += sums.high[i];
        }
    }
};

struct PlainFloats
{
    static constexpr int64_t kFLOATS = 4;
    static constexpr int kFLOAT_TILE = 8;
    static constexpr int kDENSE_TILE = 2;
    typedef float Vector __attribute__((vector_size(16)));

    static SPIKEHALT_INLINE Vector load(float const* from)
    {
        Vector v;
        memcpy(&v, from, sizeof(v));
        return v;
    }
    static SPIKEHALT_INLINE void store(float* to, Vector v) { memcpy(to, &v, sizeof(v)); }
    static SPIKEHALT_INLINE Vector all(float x) { return Vector{x, x, x, x}; }
    static SPIKEHALT_INLINE Vector addProduct(Vector sums, Vector x, Vector weights) { return sums + x * weights; }
    static SPIKEHALT_INLINE uint32_t nonZero(float const* x)
    {
        uint32_t mask = 0;
        for (int i = 0; i < kFLOATS; ++i)
        {
            mask |= static_cast<uint32_t>(x[i] != 0.0F) << i;
        }
        return mask;
    }
};

} // namespace

ByteLoops const& plainByteLoops()
{
    static constexpr ByteLoops kLOOPS{Plain::kUNIT, Plain::kUNIT * Plain::kTILE, Plain::kUNIT, 0, kDENSE_ROWS,
        kDENSE_INPUTS, 0, countBytes<Plain>, listBytes<Plain>, appendBytes, samePlace, addListedBytes<Plain>, nullptr};
    return kLOOPS;
}

FloatLoops const& plainFloatLoops()
{
    static constexpr FloatLoops kLOOPS = floatLoopsOf<PlainFloats>();
    return kLOOPS;
}

ByteLoops const& byteLoops()
{
    switch (ort::instructions())
    {
#if defined(__x86_64__)
    case ort::Instructions::kAVX2: return avx2ByteLoops();
    case ort::Instructions::kAVX512: return avx512ByteLoops();
    case ort::Instructions::kVNNI: return vnniByteLoops();
    case ort::Instructions::kAMX: return amxByteLoops();
#elif defined(__aarch64__)
    case ort::Instructions::kNEON: return neonByteLoops();
    case ort::Instructions::kDOTPROD: return dotprodByteLoops();
#endif
    default: return plainByteLoops();
    }
}

FloatLoops const& floatLoops()
{
    switch (ort::instructions())
    {
#if defined(__x86_64__)
    case ort::Instructions::kAVX2: return avx2FloatLoops();
    case ort::Instructions::kAVX512:
    case ort::Instructions::kVNNI:
    case ort::Instructions::kAMX: return avx512FloatLoops();
#elif defined(__aarch64__)
    case ort::Instructions::kNEON:
    case ort::Instructions::kDOTPROD: return neonFloatLoops();
#endif
    default: return plainFloatLoops();
    }
}

} // namespace spikehalt
