using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace FleetHub.Api;

/// <summary>Answers of the API: one shape for errors, one way to read a body.</summary>
internal static class Answers
{
    public static IResult Ok<T>(T value, JsonTypeInfo<T> shape, int status = StatusCodes.Status200OK) => Results.Json(value, shape, statusCode: status);

    public static IResult Error(int status, string code, string? detail = null) =>
        Results.Json(new ApiError(code, detail), HubJson.Compact.ApiError, statusCode: status);

    public static IResult NotFound() => Error(StatusCodes.Status404NotFound, "task_not_found");

    /// <summary>The body as a value, or null where it is not JSON of that shape.</summary>
    public static async Task<T?> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> shape)
        where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, shape, context.RequestAborted);
        }
        catch (Exception wrong) when (wrong is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
