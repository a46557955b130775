using FleetSidecar.Ground.Files;

namespace FleetSidecar.Tests;

public sealed class TreeRightsTests : IDisposable
{
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Everything_below_gets_its_mode_whatever_its_name_and_kind_and_no_link_is_followed()
    {
        await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{_directory.Path}' && mkdir -p t/a/b outside && touch t/f \"t/a/$(printf 'b\\351te')\" outside/f && mkdir \"t/$(printf '\\377')\" && mkfifo t/p && ln -s ../outside t/d && ln -s ../outside/f t/l && chmod 777 outside outside/f && chmod 000 t/a/b t/f && chmod 666 t/p");

        Assert.True(TreeRights.Set(_directory["t"], (isDirectory, mode) => isDirectory ? Mine : mode & Mine, withoutLists: true, CancellationToken.None));

        Assert.Equal("./outside\n./outside/f", (await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{_directory.Path}' && find . -mindepth 1 ! -type l -perm /077 | sort")).Trim());
        Assert.Equal("700", (await TestProgram.MustAsync("stat", "-c", "%a", _directory["t/a/b"])).Trim());
    }

    [Fact]
    public void A_link_in_the_place_of_the_directory_and_what_is_not_there_are_left_alone()
    {
        Directory.CreateDirectory(_directory["real"]);
        File.CreateSymbolicLink(_directory["link"], _directory["real"]);
        var before = File.GetUnixFileMode(_directory["real"]);

        TreeRights.Set(_directory["link"], (_, _) => UnixFileMode.None, withoutLists: true, CancellationToken.None);

        Assert.Equal(before, File.GetUnixFileMode(_directory["real"]));
        Assert.False(TreeRights.Set(_directory["gone"], (_, mode) => mode, withoutLists: true, CancellationToken.None));
    }

    [Fact]
    public async Task Tens_of_thousands_of_names_and_a_deep_tree_come_to_an_end()
    {
        for (var number = 0; number < 20_000; number++)
        {
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(_directory[$"t/{number % 50}"]).FullName, $"{number:000000000000000000000000000000}"), "");
        }

        Assert.True(TreeRights.Set(_directory["t"], (_, _) => Mine, withoutLists: false, CancellationToken.None));
        Assert.All(Directory.EnumerateFiles(_directory["t"], "*", SearchOption.AllDirectories), file => Assert.Equal(Mine, File.GetUnixFileMode(file)));

        await TestProgram.MustAsync("perl", "-e", $"mkdir '{_directory["deep"]}'; chdir '{_directory["deep"]}'; for (1..5000) {{ mkdir 'd', 0777; chmod 0777, 'd'; chdir 'd' }}");
        Assert.True(TreeRights.Set(_directory["deep"], (_, _) => Mine, withoutLists: false, CancellationToken.None));
        Assert.Equal("", await TestProgram.MustAsync("find", _directory["deep"], "-perm", "/077"));
    }
}
