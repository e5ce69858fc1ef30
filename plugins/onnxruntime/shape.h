//! Shape of a tensor.
#ifndef SPIKEHALT_ONNXRUNTIME_SHAPE_H
#define SPIKEHALT_ONNXRUNTIME_SHAPE_H

#include "api.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>

namespace spikehalt::ort
{

//! The most axes a tensor of an op may have.
constexpr size_t kMAX_RANK = 8;

struct Shape
{
    size_t rank = 0;
    std::array<int64_t, kMAX_RANK> dims{};

    Shape() = default;

    Shape(std::initializer_list<int64_t> sizes)
        : rank(sizes.size())
    {
        std::copy(sizes.begin(), sizes.end(), dims.begin());
    }

    int64_t operator[](size_t axis) const { return dims[axis]; }

    bool operator==(Shape const& other) const
    {
        return rank == other.rank && std::equal(dims.begin(), dims.begin() + rank, other.dims.begin());
    }

    //! Product of the axes from `first` to before `end`.
    int64_t volume(size_t first, size_t end) const
    {
        int64_t product = 1;
        for (size_t axis = first; axis < end; ++axis)
        {
            product *= dims[axis];
        }
        return product;
    }

    int64_t volume() const { return volume(0, rank); }

    //! The axes from `first` to before `end`.
    Shape part(size_t first, size_t end) const
    {
        Shape shape;
        shape.rank = end - first;
        std::copy(dims.begin() + first, dims.begin() + end, shape.dims.begin());
        return shape;
    }

    //! "[2, 3]".
    std::string text() const
    {
        std::string joined;
        for (size_t axis = 0; axis < rank; ++axis)
        {
            joined += (axis == 0 ? "" : ", ") + std::to_string(dims[axis]);
        }
        return "[" + joined + "]";
    }
};

} // namespace spikehalt::ort

#endif
