using System.Text.Json.Serialization.Metadata;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

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
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted); // Kestrel ends a body that is larger than one of ours may be.
        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        return OutsideJson.Read(bytes.Span, shape);
    }

    /// <summary>Gives every refusal of the API the same shape, also where the framework or the store said no.</summary>
    public static async Task ExplainAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (BadHttpRequestException fault) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = fault.StatusCode;
        }
        catch (StoreUnavailableException fault) when (!context.Response.HasStarted)
        {
            await Error(StatusCodes.Status503ServiceUnavailable, "store_unavailable", $"{fault.Message}; {fault.Hint}").ExecuteAsync(context);
        }

        if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentType: null } && !context.WebSockets.IsWebSocketRequest)
        {
            await Error(context.Response.StatusCode, Word(context.Response.StatusCode)).ExecuteAsync(context);
        }
    }

    private static string Word(int status) => status switch
    {
        StatusCodes.Status400BadRequest => "bad_request",
        StatusCodes.Status404NotFound => "not_found",
        StatusCodes.Status405MethodNotAllowed => "method_not_allowed",
        StatusCodes.Status413PayloadTooLarge => "body_too_large",
        StatusCodes.Status426UpgradeRequired => "websocket_only",
        _ => "refused",
    };
}
