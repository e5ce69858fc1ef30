//! Attributes and constant inputs of a node. Nodes carry every attribute, so one that is missing is an error.
#ifndef SPIKEHALT_ONNXRUNTIME_ATTRIBUTES_H
#define SPIKEHALT_ONNXRUNTIME_ATTRIBUTES_H

#include "context.h"

#include <initializer_list>
#include <optional>
#include <vector>

namespace spikehalt::ort
{

//! Reads and checks attributes; throws OpError.
class Attributes
{
public:
    Attributes(Api const& api, KernelInfo const* info, char const* op);

    float readFloat(char const* name) const;
    int64_t readInt(char const* name, int64_t lowest, int64_t highest) const;
    std::vector<int64_t> readInts(char const* name) const;
    std::string readString(char const* name) const;
    //! One of `types`.
    Type readType(char const* name, std::initializer_list<Type> types) const;
    //! An input that is the same in every call; none if it is not.
    std::optional<Input> constant(size_t index) const;
    //! Throw "<op>: <sentence>" unless it holds.
    void require(bool holds, std::string const& sentence) const;

private:
    void checkFound(Status* status, char const* name, char const* type) const;

    Api mApi;
    KernelInfo const* mInfo;
    char const* mOp;
};

} // namespace spikehalt::ort

#endif
