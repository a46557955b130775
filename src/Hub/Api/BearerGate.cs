using FleetHub.Tokens;

namespace FleetHub.Api;

/// <summary>Lets a request through only with a token of the right role.</summary>
internal static class BearerGate
{
    private const string Scheme = "Bearer ";
    private const string OwnerKey = "fleet.owner";

    /// <summary>Asks for one of the roles on every endpoint of a group.</summary>
    public static TBuilder RequireRole<TBuilder>(this TBuilder endpoints, params string[] roles)
        where TBuilder : IEndpointConventionBuilder => endpoints.AddEndpointFilter<TBuilder>(async (context, next) =>
    {
        var owner = context.HttpContext.RequestServices.GetRequiredService<TokenStore>().Verify(TokenOf(context.HttpContext));
        if (owner is null)
        {
            return Answers.Error(StatusCodes.Status401Unauthorized, "unauthorized", "send 'Authorization: Bearer TOKEN'; 'fleet-hub token create NAME --role operator' makes one");
        }

        if (!roles.Contains(owner.Role))
        {
            return Answers.Error(StatusCodes.Status403Forbidden, "forbidden", $"a token with the role {string.Join(" or ", roles)} is needed");
        }

        context.HttpContext.Items[OwnerKey] = owner;
        return await next(context);
    });

    /// <summary>The token that a request shows, or null.</summary>
    public static string? TokenOf(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : null;
    }

    public static string OwnerOf(HttpContext context) => ((TokenOwner)context.Items[OwnerKey]!).Name;
}
