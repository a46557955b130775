using System.Text;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>What an agent says piece by piece: the end of it, as much as a result may hold.</summary>
internal sealed class SpokenText
{
    private const int Most = 4 * WireLimits.MaxResultOutput;
    private readonly StringBuilder _text = new();

    /// <summary>Null where nothing was said.</summary>
    public string? Text => _text.Length == 0 ? null : OutsideText.ReplaceHalves(_text.ToString());

    /// <param name="words">What was said.</param>
    /// <param name="isMore">It goes on with what was said before.</param>
    public void Hear(string? words, bool isMore)
    {
        if (!isMore)
        {
            Forget();
        }

        _text.Append(words);
        if (_text.Length > Most)
        {
            _text.Remove(0, _text.Length - (Most / 2));
        }
    }

    public void Forget() => _text.Clear();
}
