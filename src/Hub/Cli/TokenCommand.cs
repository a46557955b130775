using System.CommandLine;
using FleetHub.Tokens;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Protocol;

namespace FleetHub.Cli;

/// <summary><c>fleet-hub token create NAME</c>: the token alone on standard output, once.</summary>
internal static class TokenCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("NAME") { Description = "The agent's id, or a name for the operator" };
        var role = new Option<string>("--role") { Description = "What the token may do: agent (the socket), operator (the API), enrol (register agents)", DefaultValueFactory = _ => TokenStore.Agent, HelpName = "ROLE" };
        role.AcceptOnlyFromAmong(TokenStore.Agent, TokenStore.Operator, TokenStore.Enrol);
        var create = new Command("create", "Make a token and print it. Only its hash is kept, so it cannot be shown again.\n\n"
            + "Example:\n  fleet-hub token create iris --data /var/lib/fleet-hub > /etc/fleet-sidecar/hub-token") { name, role, HubStore.Data };
        create.SetAction(async (arguments, _) =>
        {
            var given = arguments.GetValue(name)!;
            if (!TaskIds.IsValid(given))
            {
                throw new UsageException("NAME must be 1 to 128 letters, digits, '.', '_' or '-'", "for example iris");
            }

            using var store = HubStore.OpenForCommand(arguments.GetValue(HubStore.Data)!);
            Terminal.Write(await new TokenStore(store, TimeProvider.System).CreateAsync(given, arguments.GetValue(role)!) + "\n");
            return ExitCodes.Ok;
        });
        return new Command("token", "Tokens for agents and operators.") { create };
    }
}
