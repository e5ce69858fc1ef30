//! Tensors of one call of a kernel, and the threads it may use.
#ifndef SPIKEHALT_ONNXRUNTIME_CONTEXT_H
#define SPIKEHALT_ONNXRUNTIME_CONTEXT_H

#include "shape.h"
#include "status.h"

#include <algorithm>

namespace spikehalt::ort
{

//! Element type of C++'s `T`.
template <typename T>
constexpr Type typeOf();
template <>
constexpr Type typeOf<float>() { return Type::kFLOAT; }
template <>
constexpr Type typeOf<uint8_t>() { return Type::kUINT8; }
template <>
constexpr Type typeOf<int8_t>() { return Type::kINT8; }
template <>
constexpr Type typeOf<int32_t>() { return Type::kINT32; }
template <>
constexpr Type typeOf<int64_t>() { return Type::kINT64; }

//! A tensor that a kernel reads.
struct Input
{
    Type type;
    Shape shape;
    void const* data;
};

//! The tensor of `value`. Throws OpError if it has more than kMAX_RANK axes.
Input readTensor(Api const& api, Value const* value);

//! Name and type of an op's input or output.
struct Port
{
    char const* name;
    Type type;
};

//! One call of a kernel. What does not fit throws OpError, so nothing is read or written then.
class Context
{
public:
    Context(Api const& api, KernelContext* context, char const* op, Port const* inputs, Port const* outputs);

    //! An input of any type the op takes.
    Input input(size_t index) const;

    //! Elements of an input that must have this type.
    template <typename T>
    T const* data(size_t index, Input const& input) const
    {
        requireType(index, input.type, typeOf<T>());
        return static_cast<T const*>(input.data);
    }

    //! Elements of an input that must have this type and shape.
    template <typename T>
    T const* data(size_t index, Shape const& shape) const
    {
        Input const found = input(index);
        requireShape(index, found.shape, shape);
        return data<T>(index, found);
    }

    //! Memory of an output.
    template <typename T>
    T* output(size_t index, Shape const& shape) const
    {
        return static_cast<T*>(output(index, shape, typeOf<T>()));
    }

    void* output(size_t index, Shape const& shape, Type type) const;

    //! Throw "<op>: <sentence>" unless it holds.
    void require(bool holds, char const* sentence) const;
    void requireShape(size_t index, Shape const& found, Shape const& wanted) const;
    //! `wanted` is how the axes are called, as in "[M, D]".
    void requireRank(size_t index, Shape const& found, size_t rank, char const* wanted) const;
    //! Throw "<op>: <name of the input> <sentence>".
    [[noreturn]] void refuse(size_t index, std::string const& sentence) const;

    //! How many parts `items` of so many elements each are worth being split into.
    static int64_t parts(int64_t items, int64_t elements);

    //! Call `body(part, first, end)` for parts of 0 .. items, side by side if there is enough to do.
    //! `body` must not throw.
    template <typename Body>
    void split(int64_t items, int64_t elements, Body const& body) const;

private:
    void requireType(size_t index, Type found, Type wanted) const;

    Api mApi;
    KernelContext* mContext;
    char const* mOp;
    Port const* mInputs;
    Port const* mOutputs;
};

template <typename Body>
void Context::split(int64_t items, int64_t elements, Body const& body) const
{
    int64_t const count = parts(items, elements);
    if (count <= 1)
    {
        body(int64_t{0}, int64_t{0}, items);
        return;
    }
    struct Job
    {
        Body const& body;
        int64_t items;
        int64_t count;
    } job{body, items, count};
    auto const run = [](void* data, size_t index) {
        Job const& own = *static_cast<Job*>(data);
        auto const part = static_cast<int64_t>(index);
        own.body(part, own.items * part / own.count, own.items * (part + 1) / own.count);
    };
    void (*const function)(void*, size_t) = run;
    auto const total = static_cast<size_t>(count);
    check(mApi, mApi.call<slot::KernelContext_ParallelFor>(mContext, function, total, total, static_cast<void*>(&job)));
}

} // namespace spikehalt::ort

#endif
