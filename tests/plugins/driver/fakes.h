//! Stand-ins for what TensorRT hands to a plugin: logger, expression builder, descriptions.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>
#include <vector>

namespace fakes
{

//! Keeps what is logged.
class Logger : public nvinfer1::ILogger
{
public:
    void log(Severity, char const* message) noexcept override
    {
        last = message;
        ++count;
    }

    std::string last;
    int count = 0;
};

class LoggerFinder : public nvinfer1::ILoggerFinder
{
public:
#if NV_TENSORRT_MAJOR >= 11
    nvinfer1::InterfaceInfo getInterfaceInfo() const noexcept override
    {
        return {"LOGGER_FINDER", 1, 0};
    }
#endif
    nvinfer1::ILogger* findLogger() override
    {
        return &logger;
    }

    Logger logger;
};

//! A dimension: a constant, or unknown (as with dynamic shapes).
class Dimension : public nvinfer1::IDimensionExpr
{
public:
    explicit Dimension(int64_t value, std::string text = "")
        : mBody(value)
        , mText(text.empty() ? std::to_string(value) : std::move(text))
    {
        mImpl = &mBody;
    }

    std::string const& text() const
    {
        return mText;
    }

private:
    class Body : public nvinfer1::apiv::VDimensionExpr
    {
    public:
        explicit Body(int64_t value)
            : mValue(value)
        {
        }
        bool isConstant() const override
        {
            return mValue >= 0;
        }
        int64_t getConstantValue() const override
        {
            return mValue;
        }
        bool isSizeTensor() const override
        {
            return false;
        }

    private:
        int64_t mValue;
    };

    Body mBody;
    std::string mText;
};

inline std::string textOf(nvinfer1::IDimensionExpr const* dimension)
{
    return static_cast<Dimension const*>(dimension)->text();
}

//! Makes constants, and differences written out as text.
class ExprBuilder : public nvinfer1::IExprBuilder
{
public:
    ExprBuilder()
    {
        mImpl = &mBody;
    }

    nvinfer1::IDimensionExpr const* unknown(std::string const& name)
    {
        return mBody.keep(-1, name);
    }

private:
    class Body : public nvinfer1::apiv::VExprBuilder
    {
    public:
        nvinfer1::IDimensionExpr const* keep(int64_t value, std::string const& text)
        {
            mKept.push_back(std::make_unique<Dimension>(value, text));
            return mKept.back().get();
        }
        nvinfer1::IDimensionExpr const* constant(int64_t value) override
        {
            return keep(value, "");
        }
        nvinfer1::IDimensionExpr const* operation(nvinfer1::DimensionOperation operation,
            nvinfer1::IDimensionExpr const& first, nvinfer1::IDimensionExpr const& second) override
        {
            bool const difference = operation == nvinfer1::DimensionOperation::kSUB;
            return keep(-1, textOf(&first) + (difference ? "-" : "?") + textOf(&second));
        }
        nvinfer1::IDimensionExpr const* declareSizeTensor(
            int32_t, nvinfer1::IDimensionExpr const&, nvinfer1::IDimensionExpr const&) override
        {
            return nullptr;
        }

    private:
        std::vector<std::unique_ptr<Dimension>> mKept;
    };

    Body mBody;
};

inline nvinfer1::Dims dims(std::vector<int64_t> const& sizes)
{
    nvinfer1::Dims shape{};
    shape.nbDims = static_cast<int32_t>(sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i)
    {
        shape.d[i] = sizes[i];
    }
    return shape;
}

inline nvinfer1::PluginTensorDesc desc(std::vector<int64_t> const& sizes, nvinfer1::DataType type)
{
    nvinfer1::PluginTensorDesc result{};
    result.dims = dims(sizes);
    result.type = type;
    result.format = nvinfer1::TensorFormat::kLINEAR;
    return result;
}

inline nvinfer1::DynamicPluginTensorDesc dynamic(nvinfer1::PluginTensorDesc const& tensor)
{
    nvinfer1::DynamicPluginTensorDesc result{};
    result.desc = tensor;
    result.min = result.max = tensor.dims;
    return result;
}

} // namespace fakes
