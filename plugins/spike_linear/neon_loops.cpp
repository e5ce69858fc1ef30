//! The loops for NEON, without and with products of bytes.
#include "sums_loops.h"

#if defined(__aarch64__)
#include "../onnxruntime/instructions.h"
#include "../onnxruntime/vectors.h"

#include <arm_neon.h>
#include <string.h>

#include "dense_sums.h"
#include "float_sums.h"
#include "listed_sums.h"

namespace spikehalt
{
namespace
{

struct Neon
{
    static constexpr int64_t kUNIT = 16;
    static constexpr int kTILE = 8;
    static constexpr int32_t kLARGEST = 127;
    static constexpr bool kCOMPRESSES = false;

    //! Bits of 64 bytes: each byte keeps the bit of its place in eight, and neighbours are added.
    static SPIKEHALT_INLINE uint64_t nonZero(uint8_t const* x)
    {
        uint8x16_t const place = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
        uint8x16_t bits[4];
        for (int i = 0; i < 4; ++i)
        {
            uint8x16_t const bytes = vld1q_u8(x + 16 * i);
            bits[i] = vandq_u8(vtstq_u8(bytes, bytes), place);
        }
        uint8x16_t const sums = vpaddq_u8(vpaddq_u8(bits[0], bits[1]), vpaddq_u8(bits[2], bits[3]));
        return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)), 0);
    }

    using Largest = uint8x16_t;
    static SPIKEHALT_INLINE Largest noLargest() { return vdupq_n_u8(0); }
    static SPIKEHALT_INLINE Largest larger(Largest largest, uint8_t const* x)
    {
        uint8x16_t const low = vmaxq_u8(vld1q_u8(x), vld1q_u8(x + 16));
        uint8x16_t const high = vmaxq_u8(vld1q_u8(x + 32), vld1q_u8(x + 48));
        return vmaxq_u8(largest, vmaxq_u8(low, high));
    }
    static SPIKEHALT_INLINE int32_t largest(Largest found) { return vmaxvq_u8(found); }

    struct Pair
    {
        int8x16_t first;
        int8x16_t second;
    };
    static SPIKEHALT_INLINE Pair pair(uint8_t const* values)
    {
        return {vdupq_n_s8(static_cast<int8_t>(values[0])), vdupq_n_s8(static_cast<int8_t>(values[1]))};
    }

    struct Sums
    {
        int16x8_t low;
        int16x8_t high;
    };
    static SPIKEHALT_INLINE Sums zero() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }

    static SPIKEHALT_INLINE void addRow(Sums& sums, int8_t const* row, int8x16_t x)
    {
        int8x16_t const weights = vld1q_s8(row);
        sums.low = vmlal_s8(sums.low, vget_low_s8(weights), vget_low_s8(x));
        sums.high = vmlal_high_s8(sums.high, weights, x);
    }

    static SPIKEHALT_INLINE void addPair(Sums& sums, int8_t const* a, int8_t const* b, Pair pair)
    {
        addRow(sums, a, pair.first);
        addRow(sums, b, pair.second);
    }

    static SPIKEHALT_INLINE void flushHalf(int16x8_t sums, int32_t* out)
    {
        vst1q_s32(out, vaddw_s16(vld1q_s32(out), vget_low_s16(sums)));
        vst1q_s32(out + 4, vaddw_high_s16(vld1q_s32(out + 4), sums));
    }
    static SPIKEHALT_INLINE void flush(Sums const& sums, int32_t* out)
    {
        flushHalf(sums.low, out);
        flushHalf(sums.high, out + 8);
    }
};

struct NeonFloats
{
    static constexpr int64_t kFLOATS = 4;
    static constexpr int kFLOAT_TILE = 16;
    static constexpr int kDENSE_TILE = 4;
    using Vector = float32x4_t;
    static SPIKEHALT_INLINE Vector load(float const* from) { return vld1q_f32(from); }
    static SPIKEHALT_INLINE void store(float* to, Vector v) { vst1q_f32(to, v); }
    static SPIKEHALT_INLINE Vector all(float x) { return vdupq_n_f32(x); }
    static SPIKEHALT_INLINE Vector addProduct(Vector sums, Vector x, Vector weights)
    {
        return vfmaq_f32(sums, x, weights);
    }
    static SPIKEHALT_INLINE uint32_t nonZero(float const* x)
    {
        uint32x4_t const bits = {1, 2, 4, 8};
        uint32x4_t const zero = vceqzq_f32(vld1q_f32(x));
        return vaddvq_u32(vbicq_u32(bits, zero));
    }
};

} // namespace

ByteLoops const& neonByteLoops()
{
    static constexpr ByteLoops kLOOPS{Neon::kUNIT, Neon::kUNIT * Neon::kTILE, Neon::kUNIT, 0, kDENSE_ROWS, kDENSE_INPUTS, 0,
        countBytes<Neon>, listBytes<Neon>, appendBytes, samePlace, addListedBytes<Neon>, nullptr};
    return kLOOPS;
}

FloatLoops const& neonFloatLoops()
{
    static constexpr FloatLoops kLOOPS = floatLoopsOf<NeonFloats>();
    return kLOOPS;
}

} // namespace spikehalt
#endif
