# One end of the beginning of an SCTP association, by raw packets: works where the kernel has no SCTP sockets of its own.
#   perl sctp-peer.pl answer 4|6 PORT            answers the first INIT to PORT, says from where it came
#   perl sctp-peer.pl ask 4|6 ADDRESS PORT SPORT sends INITs from SPORT until one is answered, says by whom
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton inet_ntop pack_sockaddr_in6 unpack_sockaddr_in6);
use Time::HiRes qw(time);

my ($mode, $version, @rest) = @ARGV;
my $family = $version == 6 ? AF_INET6 : AF_INET;
$| = 1;

sub crc32c {
  my $crc = 0xffffffff;
  for my $byte (unpack 'C*', shift) {
    $crc ^= $byte;
    $crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
  }
  return $crc ^ 0xffffffff;
}

# type 1 = INIT, 2 = INIT ACK; `verify` is the tag that the other end chose.
sub packet {
  my ($from, $to, $verify, $type, $tag) = @_;
  my $head = pack 'nnN', $from, $to, $verify;
  my $chunk = pack 'CCnNNnnN', $type, 0, 20, $tag, 65536, 1, 1, 7;
  return $head . pack('V', crc32c($head . pack('V', 0) . $chunk)) . $chunk;
}

sub address { my $at = shift; return $version == 6 ? pack_sockaddr_in6(0, $at) : pack_sockaddr_in(0, $at); }

socket(my $socket, $family, SOCK_RAW, 132) or die "socket: $!";
print "ready\n" if $mode eq 'answer';

my $deadline = time + 60;
my $asked = 0;
while (time < $deadline) {
  if ($mode eq 'ask' && time > $asked + 0.5) {
    my ($to, $port, $from) = @rest;
    defined send($socket, packet($from, $port, 0, 1, 4711), 0, address(inet_pton($family, $to))) or die "send: $!";
    $asked = time;
  }
  vec(my $bits = '', fileno($socket), 1) = 1;
  next unless select($bits, undef, undef, 0.1);
  my $peer = recv($socket, my $data, 2048, 0);
  next unless defined $peer;
  my (undef, $from) = $version == 6 ? unpack_sockaddr_in6($peer) : unpack_sockaddr_in($peer);
  # Only IPv4 shows its own header.
  $data = substr $data, 4 * (unpack('C', $data) & 15) if $version == 4;
  next if length $data < 20;
  my ($sport, $dport, $verify, undef, $type, undef, undef, $tag) = unpack 'nnNVCCnN', $data;
  my $name = inet_ntop($family, $from);
  if ($mode eq 'answer' && $type == 1 && $dport == $rest[0]) {
    send $socket, packet($dport, $sport, $tag, 2, 4712), 0, address($from);
    print "$name\n";
    exit 0;
  }
  if ($mode eq 'ask' && $type == 2 && $dport == $rest[2] && $verify == 4711) {
    print "$name $sport\n";
    exit 0;
  }
}
die "nothing came\n";
