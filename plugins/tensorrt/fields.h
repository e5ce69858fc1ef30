//! Attributes of an op as TensorRT's plugin fields: reading them, and writing them back.
#ifndef SPIKEHALT_FIELDS_H
#define SPIKEHALT_FIELDS_H

#include <NvInferRuntime.h>

#include <string>
#include <vector>

namespace spikehalt
{

//! Reads attributes by name and type; every failure is a PluginException that names the field.
class FieldReader
{
public:
    //! \param fields owned by the caller, may be null when there are none.
    FieldReader(char const* op, nvinfer1::PluginFieldCollection const* fields);

    float readFloat(char const* name) const;
    float readFloat(char const* name, float otherwise) const;
    int32_t readInt(char const* name) const;
    int32_t readInt(char const* name, int32_t otherwise) const;
    std::string readString(char const* name, char const* otherwise) const;

private:
    //! The field, or null; throws when it has another type, no data or a wrong length.
    nvinfer1::PluginField const* find(char const* name, nvinfer1::PluginFieldType type) const;
    nvinfer1::PluginField const& need(char const* name, nvinfer1::PluginFieldType type) const;
    [[noreturn]] void refuse(char const* name, char const* why) const;

    std::string mOp;
    nvinfer1::PluginFieldCollection const* mFields;
};

//! A list of fields that point to their owner's members, or to nothing (as field names do).
class FieldList
{
public:
    FieldList() = default;
    // A copy would still point to the members of the original's owner.
    FieldList(FieldList const&) = delete;
    FieldList& operator=(FieldList const&) = delete;

    void addFloat(char const* name, float const* value = nullptr);
    void addInt(char const* name, int32_t const* value = nullptr);
    void addString(char const* name, std::string const* value = nullptr);

    //! Valid as long as this list is.
    nvinfer1::PluginFieldCollection const* collection() noexcept;

private:
    std::vector<nvinfer1::PluginField> mFields;
    nvinfer1::PluginFieldCollection mCollection{};
};

} // namespace spikehalt

#endif
