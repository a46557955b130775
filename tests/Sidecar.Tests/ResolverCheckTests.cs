using FleetSidecar.SelfTest;

namespace FleetSidecar.Tests;

public sealed class ResolverCheckTests
{
    [Theory]
    [InlineData("nameserver 169.254.169.254\n", "169.254.169.254")]
    [InlineData("# a\nsearch x\n nameserver\tfd00:ec2::254 # b\nnameserver 169.254.169.254", "fd00:ec2::254")]
    [InlineData("nameserver 169.254.169.254\nnameserver 127.0.0.53\n", null)]
    [InlineData("nameserver 127.0.0.53", null)]
    [InlineData("nameserver x\nnameserver", null)]
    [InlineData("", null)]
    public void Only_a_machine_whose_every_resolver_is_closed_to_units_is_warned_about(string text, string? address) =>
        Assert.Equal(address, ResolverCheck.Unreachable(text)?.ToString());
}
