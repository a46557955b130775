using FleetHub.Tasks;
using FleetHub.Tokens;

namespace FleetHub.Api;

/// <summary><c>/api/onboard</c> for an agent that has its token: who am I, and a no-op task that proves the way.</summary>
internal static class OnboardEndpoints
{
    public static void Map(WebApplication app)
    {
        var own = app.MapGroup("/api/onboard").RequireRole(TokenStore.Agent);
        own.MapGet("/self", (HttpContext context) => Answers.Ok(new Registration(BearerGate.OwnerOf(context)), HubJson.Compact.Registration));
        own.MapPost("/prove", ProveAsync);
        own.MapGet("/prove/{id}", (HttpContext context, string id, ProofTasks proofs, HubOptions options) => proofs.Show(BearerGate.OwnerOf(context), id) is { } found
            ? Answers.Ok(TaskView.Of(found.Task, options, found.History), HubJson.Compact.TaskView)
            : Answers.NotFound());
    }

    private static async Task<IResult> ProveAsync(HttpContext context, ProofTasks proofs, HubOptions options)
    {
        if (await Answers.ReadAsync(context, HubJson.Body.ProofRequest) is not { } request)
        {
            return Answers.Error(StatusCodes.Status400BadRequest, "invalid_json", "the body must be one JSON object: {\"agent_id\": …}");
        }

        var agent = BearerGate.OwnerOf(context);
        if (request.AgentId is { } named && named != agent)
        {
            return Answers.Error(StatusCodes.Status403Forbidden, "token_agent_mismatch", "a token proves its own agent and no other");
        }

        return await proofs.AskAsync(agent, request.WakeAgent) is { } task
            ? Answers.Ok(TaskView.Of(task, options), HubJson.Compact.TaskView, StatusCodes.Status201Created)
            : Answers.Error(StatusCodes.Status429TooManyRequests, "rate_limited", "this agent had six proofs within the hour; wait, or submit a task as operator");
    }
}
