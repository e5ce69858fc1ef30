//! Dense products of bytes in AMX's tiles; lists are those of VNNI.
#include "sums_loops.h"

#if defined(__x86_64__)
#include "../onnxruntime/instructions.h"

#include <immintrin.h>

SPIKEHALT_TARGET_BEGIN("avx512f,amx-tile,amx-int8")
namespace spikehalt
{
namespace
{

constexpr int64_t kTILE_ROWS = 16;
constexpr int64_t kTILE_BYTES = 64; //!< of a row: 64 bytes, or 16 sums
constexpr int64_t kTILE_COLUMNS = 16;
constexpr int64_t kTILE_WEIGHTS = kTILE_ROWS * kTILE_BYTES; //!< of 64 inputs and 16 columns
constexpr int64_t kPANELS_TOGETHER = 2;

// The tiles, as macros since instructions are spelt with them: sums of twice 16 rows and two panels, the activations
// and the weights.
#define UPPER_FIRST 0
#define UPPER_SECOND 1
#define LOWER_FIRST 2
#define LOWER_SECOND 3
#define UPPER_X 4
#define LOWER_X 5
#define FIRST_WEIGHTS 6
#define SECOND_WEIGHTS 7

//! How many rows and bytes each tile has, as the instruction reads it.
struct alignas(64) Shapes
{
    uint8_t palette = 1;
    uint8_t startRow = 0;
    uint8_t reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};

    explicit Shapes(int64_t count)
    {
        int64_t const upper = count < kTILE_ROWS ? count : kTILE_ROWS;
        for (int const tile : {UPPER_FIRST, UPPER_SECOND, UPPER_X})
        {
            set(tile, upper);
        }
        for (int const tile : {LOWER_FIRST, LOWER_SECOND, LOWER_X})
        {
            set(tile, count - upper);
        }
        set(FIRST_WEIGHTS, kTILE_ROWS);
        set(SECOND_WEIGHTS, kTILE_ROWS);
    }

private:
    void set(int tile, int64_t count)
    {
        rows[tile] = static_cast<uint8_t>(count);
        bytes[tile] = count > 0 ? kTILE_BYTES : 0;
    }
};

struct Product
{
    uint8_t const* rows;
    int64_t inputs;
    int8_t const* packed;
    int32_t* sums;
    int64_t stride; //!< of sums, in bytes
};

//! `LOWER`: more than 16 rows; `BOTH`: two panels.
template <bool LOWER, bool BOTH>
void multiplyTiles(Product const& p)
{
    uint8_t const* const lower = p.rows + kTILE_ROWS * p.inputs;
    int8_t const* const second = p.packed + kTILE_COLUMNS * p.inputs;
    _tile_zero(UPPER_FIRST);
    if constexpr (BOTH)
    {
        _tile_zero(UPPER_SECOND);
    }
    if constexpr (LOWER)
    {
        _tile_zero(LOWER_FIRST);
    }
    if constexpr (LOWER && BOTH)
    {
        _tile_zero(LOWER_SECOND);
    }
    for (int64_t k = 0; k < p.inputs; k += kTILE_BYTES)
    {
        int64_t const weights = k / kTILE_BYTES * kTILE_WEIGHTS;
        _tile_loadd(UPPER_X, p.rows + k, p.inputs);
        _tile_loadd(FIRST_WEIGHTS, p.packed + weights, kTILE_BYTES);
        _tile_dpbusd(UPPER_FIRST, UPPER_X, FIRST_WEIGHTS);
        if constexpr (BOTH)
        {
            _tile_loadd(SECOND_WEIGHTS, second + weights, kTILE_BYTES);
            _tile_dpbusd(UPPER_SECOND, UPPER_X, SECOND_WEIGHTS);
        }
        if constexpr (LOWER)
        {
            _tile_loadd(LOWER_X, lower + k, p.inputs);
            _tile_dpbusd(LOWER_FIRST, LOWER_X, FIRST_WEIGHTS);
        }
        if constexpr (LOWER && BOTH)
        {
            _tile_dpbusd(LOWER_SECOND, LOWER_X, SECOND_WEIGHTS);
        }
    }
    int32_t* const below = p.sums + kTILE_ROWS * p.stride / static_cast<int64_t>(sizeof(int32_t));
    _tile_stored(UPPER_FIRST, p.sums, p.stride);
    if constexpr (BOTH)
    {
        _tile_stored(UPPER_SECOND, p.sums + kTILE_COLUMNS, p.stride);
    }
    if constexpr (LOWER)
    {
        _tile_stored(LOWER_FIRST, below, p.stride);
    }
    if constexpr (LOWER && BOTH)
    {
        _tile_stored(LOWER_SECOND, below + kTILE_COLUMNS, p.stride);
    }
}

template <bool LOWER>
void multiplyPanels(Product p, int64_t panels)
{
    for (; panels >= kPANELS_TOGETHER; panels -= kPANELS_TOGETHER)
    {
        multiplyTiles<LOWER, true>(p);
        p.packed += kPANELS_TOGETHER * kTILE_COLUMNS * p.inputs;
        p.sums += kPANELS_TOGETHER * kTILE_COLUMNS;
    }
    if (panels > 0)
    {
        multiplyTiles<LOWER, false>(p);
    }
}

//! Leaves the tiles as they were found by others: released.
void multiplyAmx(uint8_t const* rows, int64_t count, int64_t quads, int32_t, int8_t const* packed, int64_t panels,
    int32_t* sums, int64_t stride)
{
    Shapes const shapes(count);
    _tile_loadconfig(&shapes);
    Product const product{rows, 4 * quads, packed, sums, stride * static_cast<int64_t>(sizeof(int32_t))};
    count > kTILE_ROWS ? multiplyPanels<true>(product, panels) : multiplyPanels<false>(product, panels);
    _tile_release();
}

} // namespace
} // namespace spikehalt
SPIKEHALT_TARGET_END

namespace spikehalt
{

ByteLoops const& amxByteLoops()
{
    static ByteLoops const kLOOPS = [] {
        ByteLoops loops = vnniByteLoops();
        loops.panel = kTILE_COLUMNS;
        loops.denseTile = 8 * kPANELS_TOGETHER * kTILE_COLUMNS; // an L2 cache holds their weights
        loops.denseRows = 2 * kTILE_ROWS;
        loops.denseInputs = kTILE_BYTES;
        loops.multiply = multiplyAmx;
        return loops;
    }();
    return kLOOPS;
}

} // namespace spikehalt
#endif
