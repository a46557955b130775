using System.Text;
using FleetHub.Agents;
using FleetHub.Sockets;
using FleetHub.Tasks;
using FleetHub.Tokens;
using FleetSidecar.Protocol;

namespace FleetHub.Api;

/// <summary>Agents, alerts, enrolment, health, the dashboard and the socket.</summary>
internal static class FleetEndpoints
{
    public static void Map(WebApplication app)
    {
        var started = TimeProvider.System.GetTimestamp();
        app.Map("/ws", SocketAsync);
        app.MapGet("/health", (TimeProvider time) => Answers.Ok(new Health("ok", HubVersion.Text, time.GetUtcNow().ToUnixTimeMilliseconds()), HubJson.Compact.Health));
        app.MapGet("/", Page);
        var api = app.MapGroup("/api").RequireRole(TokenStore.Operator);
        api.MapGet("/agents", (FleetView fleet) => Answers.Ok(new AgentList(fleet.Agents()), HubJson.Compact.AgentList));
        api.MapGet("/agents/{id}/state", (string id, FleetView fleet) => fleet.Agents().FirstOrDefault(agent => agent.AgentId == id) is { } agent
            ? Answers.Ok(agent, HubJson.Compact.AgentView)
            : Answers.Error(StatusCodes.Status404NotFound, "agent_not_found"));
        api.MapGet("/metrics", (FleetView fleet, TaskQueue queue, AgentRegistry agents, TimeProvider time) => Answers.Ok(
            new Metrics(queue.Counts(), agents.Connected.Count, agents.Connected.Count(agent => agent.IsAvailable), (long)time.GetElapsedTime(started).TotalSeconds), HubJson.Compact.Metrics));
        api.MapGet("/alerts", (FleetView fleet) => Answers.Ok(new AlertList(fleet.Alerts()), HubJson.Compact.AlertList));
        api.MapPost("/alerts/{rule}/acknowledge", async (string rule, FleetView fleet) => await fleet.AcknowledgeAsync(rule)
            ? Answers.Ok(new AlertList(fleet.Alerts()), HubJson.Compact.AlertList)
            : Answers.Error(StatusCodes.Status404NotFound, "alert_not_found"));
        api.MapGet("/dashboard", (FleetView fleet) => Answers.Ok(fleet.Dashboard(), HubJson.Compact.DashboardView));
        app.MapGroup("/api/onboard").RequireRole(TokenStore.Enrol).MapPost("/register", RegisterAsync);
    }

    private static async Task SocketAsync(HttpContext context, SidecarEndpoint endpoint, UnidentifiedConnections unidentified, TokenStore tokens, HubOptions options)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            return;
        }

        var known = tokens.Verify(BearerGate.TokenOf(context)) is { Role: TokenStore.Agent } owner ? unidentified.EnterKnown(owner.Name) : null;
        if ((known ?? unidentified.Enter(PublicAddress.CallerOf(context.Request, options.TrustedProxies))) is not { } place)
        {
            // Who has a token shares no places with those who have none: an agent behind its machine's address could hold them all.
            context.Response.Headers.WWWAuthenticate = "Bearer";
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            context.Response.Headers.RetryAfter = "2";
            return;
        }

        using var held = place;
        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { KeepAliveInterval = TimeSpan.Zero });
        await endpoint.ServeAsync(socket, place, context.RequestAborted);
    }

    // The page holds no data; what it shows it fetches with the operator's token.
    private static IResult Page(HttpContext context)
    {
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";
        context.Response.Headers.CacheControl = "no-store";
        using var stream = typeof(FleetEndpoints).Assembly.GetManifestResourceStream("dashboard.html")!;
        using var reader = new StreamReader(stream);
        return Results.Text(reader.ReadToEnd(), "text/html", Encoding.UTF8);
    }

    private static async Task<IResult> RegisterAsync(HttpContext context, TokenStore tokens, HubOptions options)
    {
        var registration = await Answers.ReadAsync(context, HubJson.Body.Registration);
        if (registration?.AgentId is not { } agentId || !TaskIds.IsValid(agentId))
        {
            return Answers.Error(StatusCodes.Status422UnprocessableEntity, "validation_failed", "agent_id must be 1 to 128 letters, digits, '.', '_' or '-'");
        }

        if (await tokens.EnrolAsync(agentId) is not { } token)
        {
            return Answers.Error(StatusCodes.Status409Conflict, "agent_id_taken", "choose another id, or let an operator make a new token for this one");
        }

        var address = PublicAddress.Of(context.Request, options.TrustedProxies);
        return Answers.Ok(new Registered(agentId, token, address.SocketUrl, address.ApiUrl, null), HubJson.Compact.Registered, StatusCodes.Status201Created);
    }
}
