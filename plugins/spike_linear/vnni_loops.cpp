//! The loops for AVX-512 with products of bytes. Listed rows are added four at a time: interleaved, they lie as
//! products of bytes take them. Within 128 bits, that is: so that sums come out in the order of the columns, the
//! weights of a tile are stored in another one.
#include "sums_loops.h"

#if defined(__x86_64__)
#include "../onnxruntime/instructions.h"
#include "../onnxruntime/vectors.h"

#include <immintrin.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 finds fault with its own header's vectors that are meant to be undefined.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

SPIKEHALT_TARGET_BEGIN("avx2,fma,popcnt,bmi,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "avx2_vectors.h"
#include "dense_sums.h"
#include "listed_sums.h"

#include "avx512_vectors.h"

namespace spikehalt
{
namespace
{

//! 64 columns.
struct Vnni : Avx512
{
    static constexpr int32_t kLARGEST = 255;
    static constexpr bool kPRODUCTS_IN_32 = true;
    static constexpr int32_t kLARGEST_DENSE = 255;

    static SPIKEHALT_INLINE Vector addProducts32(Vector sums, Vector x, Vector weights)
    {
        return _mm512_dpbusd_epi32(sums, x, weights);
    }
    static SPIKEHALT_INLINE Vector low8(Vector a, Vector b) { return _mm512_unpacklo_epi8(a, b); }
    static SPIKEHALT_INLINE Vector high8(Vector a, Vector b) { return _mm512_unpackhi_epi8(a, b); }
    static SPIKEHALT_INLINE Vector low16(Vector a, Vector b) { return _mm512_unpacklo_epi16(a, b); }
    static SPIKEHALT_INLINE Vector high16(Vector a, Vector b) { return _mm512_unpackhi_epi16(a, b); }
};

//! 32 columns.
struct VnniHalf : Avx2
{
    static SPIKEHALT_INLINE Vector addProducts32(Vector sums, Vector x, Vector weights)
    {
        return _mm256_dpbusd_epi32(sums, x, weights);
    }
    static SPIKEHALT_INLINE Vector low8(Vector a, Vector b) { return _mm256_unpacklo_epi8(a, b); }
    static SPIKEHALT_INLINE Vector high8(Vector a, Vector b) { return _mm256_unpackhi_epi8(a, b); }
    static SPIKEHALT_INLINE Vector low16(Vector a, Vector b) { return _mm256_unpacklo_epi16(a, b); }
    static SPIKEHALT_INLINE Vector high16(Vector a, Vector b) { return _mm256_unpackhi_epi16(a, b); }
};

//! Of four interleaved rows the vectors have, of every 16 places, the 0th to 3rd, the 4th to 7th, and so on.
inline int64_t interleavedPlace(int64_t column, int64_t columns)
{
    int64_t const quarter = columns / 4;
    int64_t const inQuarter = column % quarter;
    return inQuarter / 4 * 16 + column / quarter * 4 + inQuarter % 4;
}

template <typename V>
SPIKEHALT_INLINE void addFour(typename V::Vector (&sums)[4], int8_t const* const (&rows)[4], uint8_t const* values)
{
    typename V::Vector const x = V::quad(values);
    typename V::Vector const a = V::load(rows[0]);
    typename V::Vector const b = V::load(rows[1]);
    typename V::Vector const c = V::load(rows[2]);
    typename V::Vector const d = V::load(rows[3]);
    typename V::Vector const lowAB = V::low8(a, b);
    typename V::Vector const lowCD = V::low8(c, d);
    typename V::Vector const highAB = V::high8(a, b);
    typename V::Vector const highCD = V::high8(c, d);
    sums[0] = V::addProducts32(sums[0], x, V::low16(lowAB, lowCD));
    sums[1] = V::addProducts32(sums[1], x, V::high16(lowAB, lowCD));
    sums[2] = V::addProducts32(sums[2], x, V::low16(highAB, highCD));
    sums[3] = V::addProducts32(sums[3], x, V::high16(highAB, highCD));
}

template <typename V>
void addListedFours(ByteList const& list, Range const& places, int8_t const* packed, int32_t* sums)
{
    static_assert(kPLACES_TOGETHER == 4, "lists are filled up to fours");
    typename V::Vector totals[4];
    for (int64_t quarter = 0; quarter < 4; ++quarter)
    {
        totals[quarter] = places.first == 0 ? V::none() : V::load(sums + quarter * (V::kUNIT / 4));
    }
    for (int64_t place = places.first; place < places.end; place += 4)
    {
        uint32_t const* const inputs = list.inputs + place;
        int8_t const* const rows[4] = {packed + inputs[0] * V::kUNIT, packed + inputs[1] * V::kUNIT,
            packed + inputs[2] * V::kUNIT, packed + inputs[3] * V::kUNIT};
        addFour<V>(totals, rows, list.values + place);
    }
    for (int64_t quarter = 0; quarter < 4; ++quarter)
    {
        V::store(sums + quarter * (V::kUNIT / 4), totals[quarter]);
    }
}

inline void addListedVnni(
    ByteList const& list, Range const& places, int8_t const* packed, int64_t columns, int32_t* sums)
{
    columns == Vnni::kUNIT ? addListedFours<Vnni>(list, places, packed, sums)
                           : addListedFours<VnniHalf>(list, places, packed, sums);
}

} // namespace
} // namespace spikehalt
SPIKEHALT_TARGET_END

namespace spikehalt
{

ByteLoops const& vnniByteLoops()
{
    static constexpr ByteLoops kLOOPS{VnniHalf::kUNIT, Vnni::kUNIT, Vnni::kPANEL, Vnni::kPANEL * Vnni::kPANELS,
        kDENSE_ROWS, kDENSE_INPUTS, Vnni::kLARGEST_DENSE, countBytes<Vnni>, listBytes<Vnni>, appendBytes, interleavedPlace, addListedVnni,
        multiplyBytes<Vnni>};
    return kLOOPS;
}

} // namespace spikehalt
#endif
